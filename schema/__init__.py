"""What is stored and sent: tables, migrations, states, the sequence definition, the messages."""
