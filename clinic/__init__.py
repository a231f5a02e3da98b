"""The clinic: sick and healthy trainings with their true diagnosis, by which the rules are judged."""
