"""The GraphQL surface, the application that holds both surfaces, and the command line."""
