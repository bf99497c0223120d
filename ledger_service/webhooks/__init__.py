"""Webhooks: an organization's own servers hear when its records are anchored."""
