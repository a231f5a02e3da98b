"""HTTP and WebSocket doors of the server."""
