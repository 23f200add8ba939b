"""What a release is made of, into dist/: every file that takes no registry and no signature."""
