# What all steps use. For PowerShell 2 and later.
# No text of a user stands in these scripts: they read it from settings.xml, where nothing can be taken for a command.
$ErrorActionPreference = 'Stop'
$Place = 'C:\Bulkhead'

function Write-Log([string] $Step, [string] $Text) {
    $line = (Get-Date).ToUniversalTime().ToString('s') + 'Z ' + $Text
    Add-Content -Path (Join-Path $Place ($Step + '.log')) -Value $line -Encoding UTF8
}

function Read-Xml([string] $Name) {
    $document = New-Object System.Xml.XmlDocument
    $document.Load((Join-Path $Place $Name))
    return $document.DocumentElement
}

# The text of a setting; empty when it is not there.
function Get-Text($Node, [string] $Path) {
    $found = $Node.SelectSingleNode($Path)
    if ($found -eq $null) { return '' }
    return $found.InnerText
}

# Runs a program, its words to the step's log. Never give it a password: everybody can read what a program was begun with.
function Invoke-Program([string] $Step, [string] $File, [string[]] $Words, [int[]] $Good = @(0)) {
    Write-Log $Step ($File + ' ' + ($Words -join ' '))
    $ErrorActionPreference = 'Continue'
    # A program that is not there leaves that of the one before.
    $global:LASTEXITCODE = -1
    & $File $Words 2>&1 | ForEach-Object { Write-Log $Step ('  ' + $_) }
    $code = $LASTEXITCODE
    Write-Log $Step ('  ended with ' + $code)
    if ($Good -notcontains $code) { throw ($File + ' ended with ' + $code) }
    return $code
}

# Hidden as in answer files: base64 of UTF-16, with a word behind it.
function Get-Secret([string] $Name) {
    $secrets = Read-Xml 'secrets.xml'
    $text = [System.Text.Encoding]::Unicode.GetString([Convert]::FromBase64String((Get-Text $secrets $Name)))
    return $text.Substring(0, $text.Length - 'Password'.Length)
}

function Get-SecureSecret([string] $Name) {
    $secure = New-Object System.Security.SecureString
    foreach ($character in (Get-Secret $Name).ToCharArray()) { $secure.AppendChar($character) }
    $secure.MakeReadOnly()
    return $secure
}

function Get-JoinCredential($Role) {
    $name = (Get-Text $Role 'realm') + '\' + (Get-Text $Role 'account')
    return New-Object System.Management.Automation.PSCredential($name, (Get-SecureSecret 'join'))
}

function Set-Number([string] $Key, [string] $Name, [int] $Value) {
    if (-not (Test-Path $Key)) { New-Item -Path $Key -Force | Out-Null }
    New-ItemProperty -Path $Key -Name $Name -Value $Value -PropertyType DWord -Force | Out-Null
}

# What is written so is there also when Windows is ended at the next moment.
function Save-Firmly([string] $File, [string] $Text) {
    $bytes = [System.Text.Encoding]::UTF8.GetBytes($Text)
    $stream = [System.IO.File]::Create($File, 4096, [System.IO.FileOptions]::WriteThrough)
    try { $stream.Write($bytes, 0, $bytes.Length) } finally { $stream.Close() }
}

# Whether a restart is needed.
function Add-Feature([string] $Step, [string[]] $Names) {
    Import-Module ServerManager
    if (Get-Command Install-WindowsFeature -ErrorAction SilentlyContinue) {
        $result = Install-WindowsFeature $Names -IncludeManagementTools
    } else {
        $result = Add-WindowsFeature $Names
    }
    Write-Log $Step ('features ' + ($Names -join ', ') + ': ' + $result.ExitCode)
    if (-not $result.Success) { throw ('the features ' + ($Names -join ', ') + ' could not be added') }
    return ($result.RestartNeeded.ToString() -eq 'Yes')
}

function ConvertTo-JsonText([string] $Text) {
    $out = New-Object System.Text.StringBuilder
    foreach ($character in $Text.ToCharArray()) {
        $code = [int] $character
        if ($code -lt 32 -or $code -gt 126 -or $code -eq 34 -or $code -eq 92) {
            $out.AppendFormat('\u{0:x4}', $code) | Out-Null
        } else {
            $out.Append($character) | Out-Null
        }
    }
    return '"' + $out.ToString() + '"'
}
