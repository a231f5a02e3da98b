"""The cases, one module a family of ills, and one a family of healthy trainings."""
