"""Cell diagnostics: mark suspicious tissue samples for the pathologist."""
