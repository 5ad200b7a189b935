"""Answering for projects over HTTP and for whole files; the home of BentoML."""
