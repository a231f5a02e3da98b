"""What a run's own numbers say for or against the causes that rules name."""
