"""Acoustic maintenance: hear when a mould needs grease."""
