"""The statistics of a layer: one file per group, each a few lines of mathematics on the device."""
