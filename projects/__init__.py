"""One folder per use case: decisions (project.yaml), pure functions (model.py), built-in data (sample.py) and the case told (README.md)."""
