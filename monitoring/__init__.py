"""The home of Evidently: whether a model in use still gets the data it was made for, and still answers well."""
