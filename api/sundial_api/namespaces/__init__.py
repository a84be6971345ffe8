"""Which namespaces there is something in, and which of them a caller may list."""
