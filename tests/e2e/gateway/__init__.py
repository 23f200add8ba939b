"""Gateway mode, on one control plane with the Gateway API and Envoy Gateway's own kinds."""
