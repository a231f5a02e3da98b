"""The server: takes the stream in, stores it, diagnoses every run as it goes, answers queries."""
