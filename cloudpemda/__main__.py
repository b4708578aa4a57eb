"""`python -m cloudpemda` is the command line."""

from cloudpemda.cli import main

if __name__ == "__main__":
    main()
