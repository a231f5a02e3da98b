"""The live feed: what is new of a run, pushed to the pages that show it."""
