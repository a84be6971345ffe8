"""How does an installation of the original scheduler move here? Its tables become resources and history."""
