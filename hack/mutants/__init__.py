"""Changes the code a little, again and again, and asks whether a unit test notices.

It is our own, since mutmut and cosmic-ray want one source tree that they may copy or rewrite; here
the same file is a module of a collection, found through a link, and nothing is written at all.
"""

# Environment variables: which file is read as if which text stood in it.
FILE, TEXT = "MUTANT_FILE", "MUTANT_TEXT"
