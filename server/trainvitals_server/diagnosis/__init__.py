"""Reading a run for ills: windows in, symptoms out; no store, HTTP or clock in here."""
