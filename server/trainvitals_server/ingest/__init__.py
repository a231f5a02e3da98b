"""How frames get from requests into the store: one queue, one writer, and the merger beside them."""
