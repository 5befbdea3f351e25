"""What registry and Mixpanel share: requests that end in time, whatever the other side does."""
