"""`verify`: what profiles should be, from the topic, beside what Mixpanel has. It changes nothing."""
