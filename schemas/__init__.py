"""What settings are made of: forms of text, words for what is wrong, the schema for editors."""
