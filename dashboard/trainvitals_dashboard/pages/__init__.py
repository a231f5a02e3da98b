"""Pages: what is asked for, drawn and put together for each address; registered one by one, no folder is scanned."""
