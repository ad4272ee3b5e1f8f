"""What comes in, what goes out and what a rule file looks like: marshmallow schemas and the records they make."""
