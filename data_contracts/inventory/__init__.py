"""What data there are: found in folders and files, described with figures, never changed."""
