"""The home of MLflow, DVC, SQLAlchemy, the settings and the local state. Nothing here knows what a model is good for."""
