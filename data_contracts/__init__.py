"""Which data may come in: contracts as ODCS files, sources read into frames, rows checked, contracts inferred."""
