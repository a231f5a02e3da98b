"""The dashboard: pages, figures and their assets, asking the server through one api."""
