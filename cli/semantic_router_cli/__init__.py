"""`kubectl semantic-router`: asks and shows. What it knows of routers is the collection's."""
