"""Runs ansible-runner and ansible-playbook by forking a process that has them loaded."""
