"""The dossier of a project: one document that proves each milestone, in German or English, as HTML or PDF from the same content."""
