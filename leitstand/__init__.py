"""The core of Leitstand: what a project, a contract, a gate, a milestone and a decision is.

Pure functions and frozen models on numpy, pandas, scikit-learn and pydantic. No framework is imported here, and nothing happens at import.
"""
