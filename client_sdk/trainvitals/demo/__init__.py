"""Real trainings to look at: two healthy ones and a sick one, on data that needs no download."""
