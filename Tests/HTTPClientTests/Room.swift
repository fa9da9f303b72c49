// The first file of its tests.
