"""What the tools share; none of these modules is a tool."""
