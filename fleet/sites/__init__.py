"""Sites that come with the package, as YAML data."""
