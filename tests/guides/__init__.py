"""What the documentation tells readers to do, done on machines of the test's own."""
