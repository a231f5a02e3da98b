"""Every message between SDK, server and dashboard, both ways; imports nothing but its codec."""
