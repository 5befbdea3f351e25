"""`python -m consumer` is `group-consumer`."""

from consumer.cli import main

if __name__ == "__main__":
    main(prog_name="group-consumer")
