"""`python -m deploy.cli`: the same as `cadenza`."""

from deploy.cli.main import main

if __name__ == "__main__":
    main()
