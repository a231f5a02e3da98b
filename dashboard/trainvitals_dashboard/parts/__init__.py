"""Parts: the pieces that pages are put together from; no callbacks, no requests."""
