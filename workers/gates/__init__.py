"""What is done with rows that are not messages: tasks become active, and gates are settled."""
