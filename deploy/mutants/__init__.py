"""`make mutants`: switch off one guard at a time, in a copy of the tree, and show that the tests fail for each."""
