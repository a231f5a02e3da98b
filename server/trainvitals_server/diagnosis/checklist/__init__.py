"""The method in five stages, and what is known of each in a run: by preflight, by the rules, by what is recorded."""
