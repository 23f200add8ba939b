"""How long a reconcile takes and what it costs, beside the floor and a conventional playbook."""
