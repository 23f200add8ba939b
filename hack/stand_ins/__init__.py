"""Stand-ins for what no test can have: the router with its models, and a model server.

They keep to what the real ones promise their neighbours, and are nowhere kinder: who relies on more
than that fails here too. The data path's tests run them as objects, a real node as containers.
"""
