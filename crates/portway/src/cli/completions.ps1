Register-ArgumentCompleter -Native -CommandName portway -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    # The words before the cursor as they were typed: nothing in them is evaluated.
    $words = @(foreach ($element in $commandAst.CommandElements) {
        $length = $cursorPosition - $element.Extent.StartOffset
        if ($length -le 0) {
            break
        }
        $text = $element.Extent.Text
        if ($text.Length -gt $length) {
            $text.Substring(0, $length)
        } elseif ($element -is [System.Management.Automation.Language.StringConstantExpressionAst]) {
            $element.Value
        } else {
            $text
        }
    })
    if ($wordToComplete -eq '') {
        # Before version 7.3, PowerShell leaves out empty arguments.
        $words += if ($PSVersionTable.PSVersion -lt [version]'7.3') { '""' } else { '' }
    }

    $previous = $env:PORTWAY_COMPLETE
    $env:PORTWAY_COMPLETE = 'powershell'
    try {
        $lines = & portway -- @words
    } finally {
        $env:PORTWAY_COMPLETE = $previous
    }
    foreach ($line in $lines) {
        $value, $about = $line -split "`t", 2
        if (-not $about) {
            $about = $value
        }
        [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $about)
    }
}
