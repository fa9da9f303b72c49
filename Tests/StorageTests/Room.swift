// The first file of this room's tests.
