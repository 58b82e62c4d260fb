"""What nodes say besides their op and inputs: attributes and devices."""
