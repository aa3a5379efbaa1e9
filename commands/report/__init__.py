"""``make report``: one HTML file about a release or a drill."""
